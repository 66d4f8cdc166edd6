"""Readers behind one string each: `pcsc:NAME`, `sim:ntag213`."""
