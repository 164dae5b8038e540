from spikeviz.ui.kit.page import show
from spikeviz.views.events import PAGE

show(PAGE)
