"""The table of models: exact sizes, every setting is read, every parameter learns, names stay."""

import dataclasses
import subprocess
import sys
from functools import partial

import pytest
import torch
from support.networks import awaken, make_small, make_tiny

import spikeviz as sv
from spikeviz.metrics.firing import spike_layers
from spikeviz.models.cnn import CNNConfig
from spikeviz.models.espikeformer import ESpikeFormerConfig
from spikeviz.models.mst import MSTConfig
from spikeviz.models.registry import DEMO, FAMILIES, OVERRIDES, PUBLISHED, SPECS, assemble
from spikeviz.models.sdmformer import SDMFormerConfig
from spikeviz.models.spike_mae import MAEConfig
from spikeviz.models.spikformer import SpikformerConfig
from spikeviz.models.spikformer_v2 import SpikformerV2Config
from spikeviz.nn.channel_masks import Kept
from spikeviz.probe import find_probes

PUBLISHED_PARAMS = {
    "spikformer-4-384": 9_324_730,
    "spikformer-4-256": 4_155_178,
    "spikformer-2-384": 5_765_050,
    "spikformer-dvs-2-256": 2_566_666,
    "spikformer-dvs-1-512": 7_074_826,
    "spikformer-8-384": 16_816_024,
    "spikformer-6-512": 23_373_352,
    "spikformer-8-512": 29_689_384,
    "spikformer-10-512": 36_005_416,
    "spikformer-8-768": 66_338_632,
    "e-spikeformer-t": 2_702_048,
    "e-spikeformer-s": 5_105_608,
    "e-spikeformer-m": 10_023_112,
    "e-spikeformer-l": 18_987_504,
    "e-spikeformer-83m": 83_015_952,
    "e-spikeformer-173m": 171_740_714,
    "spikformer-v2-8-384": 29_111_272,  # the paper prints 29.11, 51.55, 64.18, 143.89 and 172.28 million
    "spikformer-v2-8-512": 51_545_064,
    "spikformer-v2-12-512": 64_177_128,
    "spikformer-v2-12-768": 143_893_480,
    "spikformer-v2-16-768": 172_278_760,
    "mst-swin-t": 28_332_514 + 124,  # the published code's, and a threshold for each population
    "spike-mae-12-768": 173_594_336,  # what the paper prints as 173 M
}


MST_FASHION = ("mst-fashion", "mst-resnet18-fashion", "mst-vgg16-fashion")
MAE = "spike-mae"
QCFS = ("mst", "mst-cnn")  # families whose models are QCFS networks until they are converted


def on_meta(name, **overrides):
    """Shapes without memory."""
    with torch.device("meta"):
        return sv.build(name, **overrides)


def size(model):
    return sum(p.numel() for p in model.parameters())


# --- sizes ---


@pytest.mark.parametrize("name", SPECS)
def test_parameters_are_exact(name):
    spec, model = SPECS[name], on_meta(name)
    assert size(model) == spec.params
    assert all(p.is_meta for p in model.parameters())
    assert (model.name, model.family) == (name, spec.family)
    assert not [
        n
        for n, b in model.named_buffers()
        if not n.endswith(("running_mean", "running_var", "batches_tracked", ".places", ".unseen"))
    ]


@pytest.mark.parametrize("name", PUBLISHED_PARAMS)
def test_published_sizes(name):
    assert SPECS[name].params == PUBLISHED_PARAMS[name] and not SPECS[name].demo


def test_sizes_that_the_paper_rounds():
    # Table 1: 52.0 M, whose widths are ours; 83 M has a second head of 512 x 1000 weights and 1000 biases
    assert abs(SPECS["e-spikeformer-52m"].params - 52.0e6) < 0.5e6
    large = on_meta("e-spikeformer-83m")
    assert size(large) - size(large.head_kd) == 82_502_952


@pytest.mark.parametrize(("classes", "params"), [(11, 2_566_923), (101, 2_590_053)])
def test_other_classes_of_the_event_network(classes, params):
    assert size(on_meta("spikformer-dvs-2-256", num_classes=classes)) == params


def test_the_table():
    assert sv.list_models() == [*PUBLISHED, *DEMO]
    assert len({spec.name for spec in sv.list_models()}) == len(sv.list_models())
    for spec in sv.list_models():
        c = spec.config
        assert spec.input == (c.in_channels, c.image_size, c.image_size) and spec.time_steps == c.time_steps
        assert spec.params_from and spec.demo == (spec in DEMO)
        assert spec.notes or not spec.demo
        assert hash(spec) == hash(dataclasses.replace(spec))
    for family in FAMILIES:
        assert {spec.family for spec in sv.list_models(family)} == {family}
    with pytest.raises(ValueError, match="no family 'spikeformer'; there are spikformer, spikformer-v2"):
        sv.list_models("spikeformer")


# --- outputs ---


@pytest.mark.parametrize("name", SPECS)
def test_output_shape(name):
    spec, model = SPECS[name], on_meta(name)
    channels, height, width = spec.input
    frames = getattr(spec.config, "frames", 0) or 2
    shape = (frames, 3, channels, height, width) if channels == 2 else (3, channels, height, width)
    steps = 1 if spec.family in QCFS else 2 if channels == 2 else spec.time_steps
    expected = (1, *shape) if spec.family == MAE else (steps, 3, spec.config.num_classes)
    assert model.eval()(torch.empty(shape, device="meta")).shape == expected


@pytest.mark.parametrize("name", [spec.name for spec in sv.list_models() if spec.params < 6e6])
def test_output_is_finite_and_depends_on_the_input(name):
    torch.manual_seed(0)
    (channels, side, _), frames = SPECS[name].input, getattr(SPECS[name].config, "frames", 0) or 2
    side = side if SPECS[name].family in QCFS else 28 if name.endswith("fashion") else 32
    model = sv.build(name, image_size=side, time_steps=2)
    x = torch.rand(frames, 2, channels, 32, 32).round() if channels == 2 else torch.rand(2, channels, 28, 28)
    x[..., 1, :, :, :14] = 0  # a mean over tokens, in integers, is the same for noise and other noise
    output = sv.simulate(awaken(model, x), x, keep="").output
    assert torch.isfinite(output).all() and not torch.equal(output[0], output[1])


# --- settings ---

BASES = {
    "spikformer": SpikformerConfig("cifar", 1, 16, 2, 3, 1, 16, 2, mlp_ratio=2, mean=(0.5,), std=(0.5,), pools=(1, 3)),
    "e-spikeformer": ESpikeFormerConfig(
        "base",
        (4, 8, 8, 16),
        (1,),
        3,
        1,
        16,
        levels=1,
        heads=2,
        mlp_ratio=2,
        strides=(2, 1, 2, 1),
        conv_blocks=(1, 1, 1),
        mean=(0.5,),
        std=(0.5,),
    ),
}
BASES["sdmformer"] = SDMFormerConfig(**dataclasses.asdict(BASES["spikformer"]))
OTHERWISE = {
    "spikformer": {
        "layout": "imagenet",
        "depth": 2,
        "dim": 32,
        "heads": 4,
        "num_classes": 4,
        "in_channels": 2,
        "image_size": 24,
        "time_steps": 3,
        "mlp_ratio": 3,
        "mean": (0.2,),
        "std": (0.3,),
        "pools": (1, 2, 3),
        "attention": "softmax",
        "real_v": True,
    },
    "e-spikeformer": {
        "layout": "large",
        "widths": (4, 8, 16, 16),
        "depths": (2,),
        "num_classes": 4,
        "in_channels": 2,
        "image_size": 24,
        "time_steps": 3,
        "neuron": "lif",
        "levels": 4,
        "heads": 4,
        "mlp_ratio": 3,
        "strides": (1, 2, 2, 1),
        "conv_blocks": (1, 2, 1),
        "events": True,
        "mean": (0.2,),
        "std": (0.3,),
    },
}
OTHERWISE["sdmformer"] = OTHERWISE["spikformer"] | {"kept": (Kept((0, 3), (1, 9), (2,)),), "lpe": "real"}
BASES["spikformer-v2"] = SpikformerV2Config(1, 16, 2, 3, 1, 16, 2, mlp_ratio=2, stages=2, mean=(0.5,), std=(0.5,))
V2 = ("depth", "dim", "heads", "num_classes", "in_channels", "time_steps", "mlp_ratio", "mean", "std", "attention")
OTHERWISE["spikformer-v2"] = {name: OTHERWISE["spikformer"][name] for name in V2}
OTHERWISE["spikformer-v2"] |= {"image_size": 24, "stages": 3, "residual": "iand", "real_v": True}
BASES["mst"] = MSTConfig(8, (2, 1), (2, 2), 3, 1, 16, 2, True, patch=2, window=4, mean=(0.5,), std=(0.5,))
BASES["mst-cnn"] = CNNConfig("resnet18", 4, 3, 1, 16, 2, True, mean=(0.5,), std=(0.5,))
COMMON = {"num_classes": 4, "in_channels": 2, "image_size": 32, "time_steps": 3, "spiking": False}
COMMON |= {"mean": (0.2,), "std": (0.3,), "levels": 4}
OTHERWISE["mst-cnn"] = COMMON | {"form": "vgg16", "width": 6}
OTHERWISE["mst"] = COMMON | {"dim": 16, "depths": (1, 1), "heads": (4, 2), "patch": 4, "window": 2, "mlp_ratio": 3}
OTHERWISE["mst"] |= {"mlp_norm": True, "norm": "layer", "softmax": False, "frames": 4, "fits": False}
BASES["spike-mae"] = MAEConfig(BASES["e-spikeformer"], 16, 1, 2)
OTHERWISE["spike-mae"] = {"encoder": BASES["spikformer-v2"], "decoder_dim": 32, "decoder_depth": 2, "decoder_heads": 4}
OTHERWISE["spike-mae"] |= {"ratio": 0.5, "target": "patches", "sparse": False}
ELSEWHERE = {  # tested where something else is run
    "mst": ("levels", "fits"),  # test_the_levels_of_qcfs_are_read, test_official_mst.py
    "mst-cnn": ("levels",),
    "spike-mae": ("ratio", "sparse"),  # of what is hidden: test_pretraining.py, test_mae.py
}
FIELDS = [(family, field) for family, fields in OTHERWISE.items() for field in fields]
FIELDS = [(family, field) for family, field in FIELDS if field not in ELSEWHERE.get(family, ())]


def fingerprint(family, config):
    torch.manual_seed(0)
    model = assemble(family, config, "x")
    if config.in_channels != 1 or getattr(config, "frames", 0):
        return {key: value.shape for key, value in model.state_dict().items()}
    x = torch.rand(2, 1, 16, 16)
    r = sv.simulate(awaken(model, x), x.round() / 2 + 0.5)  # 0 or 1 when it is normalised: it could be events
    return {name: (t.values.shape, t.values.dtype, t.values.double().sum().item()) for name, t in r.items()} | {
        "output": (r.logits_per_step.shape, r.output.double().sum().item())
    }


def test_every_family_is_tested_setting_by_setting():
    assert OTHERWISE.keys() == FAMILIES.keys() == BASES.keys()
    for family, base in BASES.items():
        assert OTHERWISE[family].keys() == {f.name for f in dataclasses.fields(base)}


@pytest.mark.parametrize(("family", "field"), FIELDS)
def test_every_setting_is_read(family, field):
    base = BASES[family]
    changed = dataclasses.replace(base, **{field: OTHERWISE[family][field]})
    assert fingerprint(family, base) == fingerprint(family, base)
    assert fingerprint(family, changed) != fingerprint(family, base)


@pytest.mark.parametrize("family", QCFS)
def test_the_levels_of_qcfs_are_read(family):
    base = dataclasses.replace(BASES[family], spiking=False)
    assert fingerprint(family, dataclasses.replace(base, levels=4)) != fingerprint(family, base)


@pytest.mark.parametrize("layout", ["large-rep", "large"])
def test_layouts_of_e_spikeformer_differ(layout):
    base = dataclasses.replace(BASES["e-spikeformer"], layout="large-rep" if layout == "large" else "base")
    changed = dataclasses.replace(base, layout=layout)
    assert fingerprint("e-spikeformer", changed) != fingerprint("e-spikeformer", base)


@pytest.mark.parametrize("name", SPECS)
def test_overrides_reach_the_model(name):
    base, windows = on_meta(name), SPECS[name].family == "mst"
    assert getattr(base, "time_steps", 1) == SPECS[name].time_steps
    side = 2 * SPECS[name].input[1] if windows else 64
    values = {"num_classes": 7, "in_channels": 5, "image_size": side, "time_steps": 3}
    assert values.keys() == set(OVERRIDES)
    model, autoencoder = on_meta(name, **values), SPECS[name].family == MAE
    config = model.config.encoder if autoencoder else model.config
    assert {field: getattr(config, field) for field in values} == values and model.time_steps == 3
    if SPECS[name].family not in QCFS:
        with torch.no_grad():
            expected = (1, 2, 5, 64, 64) if autoencoder else (3, 2, 7)
            assert model(torch.empty(2, 5, 64, 64, device="meta")).shape == expected
    assert model.intake.mean is None  # the statistics belonged to other channels
    assert on_meta(name, num_classes=7).intake.mean == base.intake.mean
    assert SPECS[name].config.in_channels != 5


# --- learning ---


@pytest.mark.parametrize(
    "make",
    [
        *(partial(make_tiny, layout) for layout in ("cifar", "dvs", "imagenet")),
        *(partial(make_small, layout) for layout in ("base", "large-rep", "large")),
        partial(make_small, neuron="lif", levels=1, time_steps=4),
        partial(make_small, widths=(4, 8, 8, 16, 24), depths=(1, 1)),
    ],
)
def test_every_parameter_gets_a_gradient(make):
    model = make()  # in eval mode, where a bias in front of a normalisation is not cancelled by it
    x = torch.rand(4, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    model(x).mean(0).square().sum().backward()
    for name, p in model.named_parameters():
        assert p.grad is not None and torch.isfinite(p.grad).all() and p.grad.any(), name


# --- names ---


def test_names_of_places_stay():
    model = sv.build("spikformer-fashion").eval()
    layer = ["conv.input", "membrane", "spike"]
    stem = [f"stem.{part}.{p}" for part in ("stages.0", "stages.1", "stages.2", "stages.3", "rpe") for p in layer]
    attn = [f"attn.{n}.{p}" for n in "qkv" for p in layer]
    attn += ["attn.qk.left", "attn.qk.right", "attn.scores", "attn.av.left", "attn.av.right"]
    attn += ["attn.out.membrane", "attn.out.spike", *(f"attn.proj.{p}" for p in layer)]
    block = attn + [f"mlp.{n}.{p}" for n in ("hidden", "out") for p in layer]
    expected = [*stem, *(f"blocks.{n}.{p}" for n in (0, 1) for p in block), "head.input"]
    assert list(sv.simulate(model, torch.rand(1, 1, 28, 28))) == expected
    assert set(find_probes(model)) == set(expected)


@pytest.mark.parametrize("name", ["spikformer-fashion", "e-spikeformer-t", "e-spikeformer-cifar-sfa4", *MST_FASHION])
def test_layers_are_built_in_the_order_in_which_they_run(name):
    model = sv.build(name, image_size=32).eval()
    r = sv.simulate(model, torch.rand(1, SPECS[name].input[0], 32, 32), keep="*.spike")
    ran = [n.removesuffix(".spike") for n, t in r.items() if t.axes == ("T", "B", "C", "H", "W")]
    assert list(spike_layers(model)) == ran


@pytest.mark.parametrize("name", SPECS)
def test_every_place_is_named_once_and_every_model_has_the_common_ones(name):
    model = on_meta(name)
    probes = find_probes(model)
    assert all(model.get_submodule(n) is p for n, p in probes.items())
    if SPECS[name].family == "mst-cnn":
        return  # has no attention
    inside = "encoder." if SPECS[name].family == MAE else ""
    real = getattr(SPECS[name].config, "attention", "ssa") != "ssa"  # then queries and keys are no spikes
    spikes = () if real else ("attn.q.spike", "attn.k.spike")
    for ending in (*spikes, "attn.v.spike", "attn.scores", "mlp.hidden.spike"):
        assert [n for n in probes if n.endswith(ending)] == [
            f"{inside}blocks.{b}.{ending}" for b in range(SPECS[name].config.depth)
        ]


def test_autoencoders_are_known_by_their_names():
    assert {spec.name for spec in SPECS.values() if "mae" in spec.name} == {s.name for s in sv.list_models(MAE)}


def test_the_classifier_has_the_encoder_of_the_autoencoder():
    classifier, autoencoder = (f"spikformer-v2-{part}fashion" for part in ("", "mae-"))
    assert SPECS[classifier].config == SPECS[autoencoder].config.encoder
    own = {name for name, _ in on_meta(classifier).named_parameters() if not name.startswith("head.")}
    assert own == {name for name, _ in on_meta(autoencoder).encoder.named_parameters()}


def test_binary_and_integer_autoencoders_differ_in_levels_alone():
    integer, binary = (SPECS[f"spike-mae-cifar{suffix}"].config for suffix in ("", "-binary"))
    assert dataclasses.replace(binary.encoder, levels=4) == integer.encoder != binary.encoder
    assert dataclasses.replace(binary, encoder=integer.encoder) == integer


# --- what cannot be built ---


@pytest.mark.parametrize(
    ("name", "overrides", "sentence"),
    [
        ("spikformer-9-999", {}, r"^no model 'spikformer-9-999'; there are spikformer-4-384, .*, [\w-]+\.$"),
        (
            "spikformer-4-256",
            {"depth": 3},
            "^build takes num_classes, in_channels, image_size, time_steps, not depth.$",
        ),
        ("spikformer-4-256", {"num_classes": 0}, "num_classes must be at least 1, not 0"),
        ("spikformer-4-256", {"time_steps": 0}, "time_steps must be at least 1, not 0"),
        ("spikformer-4-256", {"image_size": 30}, "image_size 30 is not a multiple of 4, the stride"),
        ("spikformer-8-512", {"image_size": 0}, "image_size 0 is not a multiple of 16, the stride"),
        ("e-spikeformer-t", {"image_size": 40}, "image_size 40 is not a multiple of 16, the stride"),
        ("e-spikeformer-fashion-sfa4", {"time_steps": 0}, "time_steps must be at least 1, not 0"),
    ],
)
def test_one_sentence_for_what_cannot_be_built(name, overrides, sentence):
    with pytest.raises(ValueError, match=sentence):
        on_meta(name, **overrides)


@pytest.mark.parametrize(
    ("family", "changes", "sentence"),
    [
        ("spikformer", {"layout": "cifar100"}, "layout is one of cifar, dvs, imagenet, not 'cifar100'"),
        ("spikformer", {"heads": 3}, "dim 16 is not divisible by heads 3"),
        ("spikformer", {"dim": 12}, "dim 12 is not divisible by 8"),
        ("spikformer", {"depth": 0}, "depth must be at least 1, not 0"),
        ("spikformer", {"attention": "linear"}, "attention is one of ssa, identity, relu, leaky-relu, softmax, not"),
        ("e-spikeformer", {"layout": "huge"}, "layout is one of base, large-rep, large, not 'huge'"),
        ("e-spikeformer", {"heads": 3}, "dim 16 is not divisible by heads 3"),
        ("e-spikeformer", {"heads": 0}, "heads must be at least 1, not 0"),
        ("e-spikeformer", {"heads": 32}, "dim 16 is not divisible by heads 32"),
        ("e-spikeformer", {"neuron": "if"}, "neuron is 'integer' or 'lif', not 'if'"),
        ("e-spikeformer", {"neuron": "lif", "levels": 4}, r"a binary network .* has levels \(D\) 1, not 4"),
        ("e-spikeformer", {"levels": 0}, r"levels \(D\) must be a whole number from 1 to 255, not 0"),
        ("e-spikeformer", {"widths": (8, 16)}, r"widths must be 4 numbers, not \(8, 16\)"),
        ("e-spikeformer", {"depths": (1, 1)}, r"widths must be 5 numbers, not \(4, 8, 8, 16\)"),
        ("e-spikeformer", {"depths": (0,)}, r"depths must be whole numbers from 1, not \(0,\)"),
        ("e-spikeformer", {"strides": (2, 2)}, r"strides must be 4 numbers, not \(2, 2\)"),
        ("spikformer-v2", {"residual": "and"}, "residual is 'add' or 'iand', not 'and'"),
        ("spikformer-v2", {"dim": 15}, "dim 15 is not divisible by 2"),
        ("mst", {"depths": (1,)}, r"depths \(1,\) and heads \(2, 2\) must be as many numbers"),
        ("mst", {"heads": (3, 2)}, "stage 1 has 8 channels, not divisible by 3 heads"),
        ("mst", {"norm": "group"}, "norm is 'batch' or 'layer', not 'group'"),
        ("mst", {"image_size": 18}, "image_size 18 is not a multiple of 4, the stride of all stages"),
        ("mst", {"window": 3}, "8 x 8 tokens in stage 1, which windows of 3 do not tile"),
        ("mst", {"levels": 0}, "levels must be at least 1, not 0"),
        ("mst-cnn", {"form": "resnet50"}, "form is 'resnet18' or 'vgg16', not 'resnet50'"),
        ("mst-cnn", {"width": 0}, "width must be at least 1, not 0"),
    ],
)
def test_one_sentence_for_a_config_that_cannot_be(family, changes, sentence, unchecked):
    with pytest.raises(ValueError, match=sentence):
        assemble(family, dataclasses.replace(BASES[family], **changes), "x")


@pytest.mark.parametrize(("classes", "params"), [(10, 2_566_666), (11, 2_566_923), (101, 2_590_053)])
def test_parameters_of_the_three_event_sets(classes, params):
    """CIFAR10-DVS, DVS128 Gesture and N-Caltech101 have 10, 11 and 101 classes."""
    with torch.device("meta"):
        model = sv.build("spikformer-dvs-2-256", num_classes=classes)
    assert sum(p.numel() for p in model.parameters()) == params


def test_neither_a_pass_on_the_cpu_nor_a_network_without_weights_imports_a_compiler():
    """It would be more than half of what a first visit to a page waits for."""
    code = """
import sys, torch
from spikeviz.nn.neurons import IF, LIF
from spikeviz.nn.qcfs import ConvertedIF
from spikeviz.models.registry import SPECS, build
with torch.no_grad():
    for neuron in (LIF(), IF(), ConvertedIF()):
        neuron.trace(torch.ones(2, 3)), neuron(torch.ones(2, 3))
with torch.device("meta"):
    for name in SPECS:
        build(name)
sys.exit("torch._inductor" in sys.modules or "torch._dynamo" in sys.modules)
"""
    assert subprocess.run([sys.executable, "-c", code], timeout=120).returncode == 0
