"""A server and its visitors, for every test in a browser."""

import pytest

from tests.serving import Server, settle


@pytest.fixture(scope="module")
def server(tmp_path_factory, digits_file):
    server = Server(tmp_path_factory.mktemp("server"), digits_file).start()
    yield server
    server.close()


@pytest.fixture
def visitor(browser):
    """A function that gives a new browser, so to say: nothing shared, one page, which must not
    meet an error."""
    contexts, errors = [], []

    def visitor(**how):
        contexts.append(browser.new_context(**how))
        page = contexts[-1].new_page()
        page.set_default_timeout(30_000)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return page

    yield visitor
    pages = [page for context in contexts for page in context.pages]
    broken = [page.url for page in pages if page.locator("[data-testid=stException]").count()]
    for context in contexts:
        context.close()
    assert not broken and not errors


@pytest.fixture
def go(server, visitor):
    """A function that opens a page of the app, for a new visitor unless one is given."""

    def go(stem, page=None, query=None, **how):
        page = page or visitor(**how)
        page.goto(server.url(stem, **(query or {})))
        settle(page)
        return page

    return go
