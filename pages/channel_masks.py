from spikeviz.ui.kit.page import show
from spikeviz.views.channel_masks import PAGE

show(PAGE)
