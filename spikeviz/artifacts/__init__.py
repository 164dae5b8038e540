"""What lies on disk beside the code: checkpoints and their cards, curves, replays, packed spikes."""
