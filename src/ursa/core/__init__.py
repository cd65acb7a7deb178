"""What training and serving share: numpy and Pillow only."""
