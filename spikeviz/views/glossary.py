"""The words of the field, each in a sentence or two, with where it comes from."""

from __future__ import annotations

TERMS = {
    "spike": "What a neuron sends: 1 at a step at which its membrane reaches the threshold, else 0.",
    "membrane": "The potential a neuron adds its input to. Shown before its reset, so that it crosses its threshold.",
    "LIF": "Leaky integrate and fire: at each step a share 1/tau of the membrane is renewed by the input; a neuron "
    "that fires starts again from 0. E-SpikeFormer, Eq. 1-3.",
    "T": "Time steps: how often the network is run on one input; every membrane keeps its potential in between.",
    "D": "The largest integer a neuron fires in one step; one step of integers is D binary steps. E-SpikeFormer, "
    "sec. 3.2.",
    "SFA": "Spike firing approximation: train with integers C up to D, run with C spikes. E-SpikeFormer, sec. 3.2.",
    "tau": "Time constant of a leaky membrane, in steps: a larger one forgets more slowly.",
    "threshold": "The potential at which a neuron fires.",
    "firing rate": "Spikes per neuron and step, from 0 to 1.",
    "NSFR": "Network spike firing rate: at each step, the share of all neurons of the network that fire. "
    "E-SpikeFormer, sec. 5.3.",
    "spike map": "At each place of a layer, the share of its channels that fire. E-SpikeFormer, sec. 5.3 and Fig. 8.",
    "channel": "One of the features that a layer computes at every place.",
    "channel mask": "A number m that is learned for each channel: its spikes pass where sigmoid(5 m) is above the "
    "threshold. SDMFormer, sec. 3.2, reconstructed.",
    "DMEB": "Dynamic mask encoder block: a block with a mask that Q and K share, one of V and one of the MLP's hidden "
    "layer. SDMFormer, sec. 3.3.",
    "mask rate": "The share of a site's channels that its mask drops. SDMFormer, sec. 4.2.",
    "pruning": "Cutting masked channels out of the weights before and after them; what the network computes stays.",
    "LPE": "Lightweight position embedding: a depthwise and a 1x1 convolution in place of the full one of Spikformer's "
    "relative position embedding (RPE). SDMFormer, sec. 3.4, reconstructed: with neurons between the two, so that into "
    "both weights go spikes.",
    "RSM": "Random spike masking: every spike at the chosen places is dropped with probability ratio, drawn anew at "
    "every step; surviving spikes are not rescaled. Masked Spiking Transformer, sec. 3.4.",
    "QCFS": "Quantization-clip-floor-shift: an activation of L + 1 levels between 0 and a learned threshold, made to "
    "be replaced by a spiking neuron. Masked Spiking Transformer, sec. 3.2.",
    "ANN-to-SNN conversion": "Train a network without time, then put a neuron in place of every activation: its mean "
    "over T steps comes near to the activation. Masked Spiking Transformer, sec. 3.2.",
    "SAM": "Spike activation map: at each place, the spikes of all channels, each weighed by how soon before it the "
    "same neuron fired. No gradient. Kim & Panda, Sci. Rep. 2021.",
    "ScoreCAM": "Class map without gradient: a layer's channels are added, each weighed by how much the image seen "
    "through it raises the class above a black image (softmax over the channels). Wang et al., CVPRW 2020.",
    "masked autoencoder": "An encoder sees some patches of an image, a decoder guesses the others; then the decoder is "
    "thrown away. Spikformer V2, sec. 4.2; E-SpikeFormer, sec. 3.4.",
    "visible mean": "The least a guess must beat: hidden patches filled with the mean of the visible pixels.",
    "PSNR": "Peak signal-to-noise ratio, -10 log10(MSE) in dB for values from 0 to 1; more is better.",
    "SSIM": "Structural similarity in a window of 11 x 11 pixels, 1 for equal pictures. Wang et al., IEEE TIP 2004.",
    "effective rank": "How many dimensions tokens really have: exp of the entropy of their normalised singular values. "
    "E-SpikeFormer, Eq. 29.",
    "sparse convolution": "A convolution that sets hidden places to zero again, so that a mask survives every layer. "
    "E-SpikeFormer, sec. 3.4, Eq. 13.",
    "alpha-watt": "Unit of power of the Masked Spiking Transformer's Eq. 10: all spikes of a sample over 1 ms, each of "
    "them alpha joules. Alpha is not known: only ratios mean something.",
    "SSA": "Spiking self-attention: queries, keys and values are spikes, without a softmax. Spikformer V2, sec. 3.3.",
    "SOP": "Synaptic operation: one addition, caused by one spike at one place it reaches.",
    "MAC": "Multiply-accumulate: one multiplication and one addition, where the input is a real number.",
    "event": "What a pixel of an event camera sends when its light has changed: time, column, row, ON or OFF.",
    "ON and OFF": "The polarity of an event: ON where it became brighter, OFF where it became darker.",
    "accumulation window": "How much time one picture of events takes together: all that came in the milliseconds "
    "before now.",
    "frame": "Events counted by pixel and polarity over a part of the recording: what a network gets at one time step.",
    "slice": "A part of a recording: of equal time or of equal event count.",
    "event rate": "Events of all pixels per second.",
    "confidence": "The softmax of the logits, mean over the steps. Not a calibrated probability.",
}


def explained(term: str) -> str:
    """A term and what it means, as Markdown.

    Raises:
        KeyError: for a term that is not in the glossary.
    """
    return f"**{term}**: {TERMS[term]}"
