"""What is learned: targets -> their task, and the losses, metrics and predictions that go with it.

`targets` reads them, `target_shapes` brings them into the shape of the outputs, `loss_check` says early what does not
fit, `predictions` puts outputs into the words of the labels.
"""
