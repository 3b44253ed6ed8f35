"""The documentation: its site, and the tables made from the code."""
