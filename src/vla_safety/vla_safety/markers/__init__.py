"""What the safety node keeps the robot within, to be seen in RViz or Foxglove."""
