"""`make demo-data`: ninety days of plausible usage for the demo account, so that every figure shows something real."""
