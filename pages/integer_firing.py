from spikeviz.ui.kit.page import show
from spikeviz.views.integer_firing import PAGE

show(PAGE)
