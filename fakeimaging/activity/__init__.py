"""What happens: neural mass models, the compiled engine, taps, blood flow. Made once per run, shared by every instrument."""
