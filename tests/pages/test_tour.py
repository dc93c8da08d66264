"""The tour, without a browser: its stops, and that it waits to be asked again."""


import pytest

from pages._shell import navigation, tour, visitors
from tests.pages.visiting import remembered, text


def test_each_stop_is_a_page_and_none_comes_twice():
    stems = [stem for stem, _ in tour.STOPS]
    assert set(stems) <= set(navigation.PAGES) and len(set(stems)) == len(stems)
    assert 4 <= len(stems) <= 6


def keys(app):
    return {button.key for button in app.button}


FIRST_TOUR = visitors.first_tour


@pytest.fixture
def newcomer(visit, monkeypatch):
    """The home page of somebody who has not been here."""
    monkeypatch.setattr(visitors, "first_tour", FIRST_TOUR)
    return visit("home")


def test_it_leads_from_page_to_page_and_ends(newcomer):
    app = newcomer
    for i, (stem, says) in enumerate(tour.STOPS):
        assert app.button(key="tour_next").label.endswith(navigation.PAGES[stem][0])
        app.button(key="tour_next").click().run()
        # AppTest forgets where a page switched to, and runs the page without the router.
        remembered(app, "Visit").page = stem
        app.switch_page(f"pages/{stem}.py").run()
        assert not app.exception
        assert f"{i + 1} of {len(tour.STOPS)}" in text(app) and says in text(app)
    assert "tour_next" not in keys(app)
    app.button(key="tour_done").click().run()
    assert not keys(app) & {"tour_next", "tour_done", "tour_skip"}


def test_skipped_it_stays_away_until_it_is_asked_for(newcomer):
    app = newcomer
    app.button(key="tour_skip").click().run()
    assert "tour_skip" not in keys(app.run())
    app.button(key="tour_start").click().run()
    assert "tour_skip" in keys(app)
