"""From one form of a model to another: published checkpoints in, converted networks out."""
