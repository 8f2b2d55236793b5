"""Values that several node tests start from."""

from state.models import CallMetrics

METRICS = CallMetrics(model_name="fake", strategy="standard", cache_hit=False, load_time_sec=1.0, tokens_generated=3)
