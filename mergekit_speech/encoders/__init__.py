"""Speech encoders: how each family is built, loaded and saved, and which of its parameters stay as they are."""
