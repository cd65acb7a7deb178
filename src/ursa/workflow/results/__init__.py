"""What commands come to, as values: shown in a line each, printed by the command line, written as JSON."""
