from spikeviz.ui.kit.page import show
from spikeviz.views.overview import PAGE

show(PAGE)
