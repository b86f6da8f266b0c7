"""The contracts as data: JSON Schemas, and one mapping file for each source."""
