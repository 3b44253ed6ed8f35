"""What the operator's page costs, and how old its pictures are."""
