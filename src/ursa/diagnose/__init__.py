"""What is wrong, and what to do next: reads predictions and history; no torch."""
