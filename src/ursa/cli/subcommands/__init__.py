"""Commands with an output of their own: arguments -> a call of the workflow -> what is printed."""
