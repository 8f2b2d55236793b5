"""What a start costs."""

import subprocess
import sys

import pytest

from llm.vram import find_device


@pytest.mark.skipif(find_device() != "cpu", reason="torch is what measures the memory of a GPU")
def test_opening_the_models_imports_no_torch() -> None:
    code = (
        "import sys; from llm.models import open_models; models = open_models(); models.reading();"
        "models.bytes_needed('mistral7b', 'optimized'); models.close();"
        "print(sorted({'torch', 'transformers', 'bitsandbytes'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == "[]"
