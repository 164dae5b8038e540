from spikeviz.ui.kit.page import show
from spikeviz.views.reconstruction import PAGE

show(PAGE)
