"""The operators' consumer: which flows run, what waits, who is silent. It reads everything and can open nothing.

reading ──> judging ──> batch (flow, announced, counted) ─┐
watching (lagging, forgetting) ───────────────────────────┴─> store ──> looking ──> collecting: metrics
                                                                                └─> overview: people
"""
