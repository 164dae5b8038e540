"""SDMFormer: a Spikformer whose encoder blocks learn which channels they can do without (DMEB), with a lighter position
embedding (LPE). Its equations are lost in the text we have: this is a reconstruction, which reproduces its sizes.
"""

from __future__ import annotations

from dataclasses import dataclass

from spikeviz.models.spec import LAYER_BY_LAYER
from spikeviz.models.spikformer import Spikformer, SpikformerConfig
from spikeviz.nn.channel_masks import Kept
from spikeviz.nn.stems import LPE


@dataclass(frozen=True)
class SDMFormerConfig(SpikformerConfig):
    """One SDMFormer: the settings of a Spikformer.

    kept: of a pruned one, the channels that each block still has. lpe: whether spikes or real values go into the second
    convolution of its position embedding (`spikeviz.nn.stems.position_embedding`).
    """

    kept: tuple[Kept, ...] | None = None
    lpe: LPE = "spiking"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.kept is not None and len(self.kept) != self.depth:
            raise ValueError(f"kept names the channels of each of the {self.depth} blocks, not of {len(self.kept)}.")


class SDMFormer(Spikformer):
    """`model(x) -> logits per step [T, B, K]`; see `Spikformer` for x.

    Masks (SDMFormer, sec. 3.2, 3.3): one that q and k share, one of v, which is one of the attention's output as well,
    one of the MLP's hidden layer. The residual stream keeps its channels, so that pruning is exact
    (`spikeviz.prune_channels`); a pruned network has no masks any more.
    """

    paper_energy = LAYER_BY_LAYER

    def __init__(self, config: SDMFormerConfig):
        super().__init__(config, lpe=config.lpe, masked=config.kept is None, kept=config.kept)
