"""What every node is built on: lifecycle, parameters, executor, diagnostics."""
