"""Whether a test fails for nearly every small change of the code: `vla prove mutation`."""
