"""What visitors write, through `notes.plain` and Streamlit's Markdown: on the screen as it is."""

import subprocess
import sys

import pytest

from mnist_core.tools.bench_app import ROOT, free_port

NAMES = (
    "<b>bold</b> $x$ *a* :smile:", "# head", "1. one", "- a list", "+ b", "> quote", "=== x",
    "~~s~~ `c`", "a_b_c __d__", "[l](http://x.y)", "![i](http://x/y.png)", ":material/bolt: x",
    "x:red[y]", "http://a.b/c", "www.test.com", "ab@c.de", "$$x$$ & &amp; |a|b|", "a :) 8-) !",
    "16 · adam · 12:30:10", "x -> y <- z -- w --- v >= u", "*.csv", "\\frac $1 and $2 \\",
)  # fmt: skip
SCRIPT = f"""import streamlit as st
from pages._shell.notes import plain
for name in {NAMES!r}:
    st.caption(plain(name))
st.text("That is all")"""


@pytest.fixture
def page(tmp_path, visitor):
    script, port = tmp_path / "names.py", free_port()
    script.write_text(f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{SCRIPT}")
    command = [sys.executable, "-m", "streamlit", "run", str(script), "--server.headless", "true",
               "--server.address", "127.0.0.1", "--server.port", str(port)]  # fmt: skip
    with open(tmp_path / "log", "wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log)
    page = visitor()
    try:
        for _ in range(60):
            try:
                page.goto(f"http://127.0.0.1:{port}")
                break
            except Exception:  # it does not listen yet
                page.wait_for_timeout(500)
        page.get_by_text("That is all").wait_for()
        yield page
    finally:
        process.terminate()
        process.wait(timeout=30)


def test_what_visitors_write_is_on_the_screen_as_it_is(page):
    captions = page.get_by_test_id("stCaptionContainer")
    page.wait_for_function(f"document.querySelectorAll('[data-testid=stCaptionContainer]').length"
                           f" === {len(NAMES)}")  # fmt: skip
    shown = [text.replace("\N{WORD JOINER}", "").strip() for text in captions.all_inner_texts()]
    assert shown == [name.strip() for name in NAMES]
    assert not captions.locator("a, img, b, em, strong, code, li, h1, .katex").count()
