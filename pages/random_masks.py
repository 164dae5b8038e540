from spikeviz.ui.kit.page import show
from spikeviz.views.random_masks import PAGE

show(PAGE)
