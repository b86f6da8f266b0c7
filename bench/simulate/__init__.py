"""A seeded organization and its five exports, with labelled anomalies. It shares nothing with the rules."""
