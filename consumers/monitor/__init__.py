"""The operators' consumer: which flows run, what waits, who is silent. It reads everything and can open nothing.

reading ──> judging ──> folding ──> batch ─┐
watching (lag, how far we are, forgetting) ─┴─> store ──> looking ──> collecting (metrics), overview (people)
"""
