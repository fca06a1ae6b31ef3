"""From a recipe to a merged checkpoint: recipe → pairing → plan → engine → provenance."""
