"""The one pass: every picture goes through a frozen backbone once; every question is answered from what comes out."""
