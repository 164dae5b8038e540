from spikeviz.ui.kit.page import show
from spikeviz.views.spike_maps import PAGE

show(PAGE)
