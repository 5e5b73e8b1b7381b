"""The shared vocabulary: plain values and pure rules. No dagster, no SDK, no database driver."""
