"""Recipes on the builder page: one click brings a published design into the controls."""

from __future__ import annotations

import streamlit as st

from mnist_core.basis import numbers
from mnist_core.design import recipe_figures
from mnist_core.design.recipes import RECIPES, Recipe, in_words
from mnist_core.design.spec import OPTIMIZERS, RunSpec
from pages._builder import state
from pages._shell import design, navigation, session


def panel(spec: RunSpec) -> None:
    """The recipes; of the one that was loaded, what it teaches."""
    loaded = next((name for name, r in RECIPES.items() if r.spec == spec), None)
    session.set_widget("recipe", loaded)
    with st.expander("Begin with a recipe", icon=":material/menu_book:", key="recipes",
                     expanded=state.mine().before is not None):  # fmt: skip
        st.pills("Recipe", list(RECIPES), key="recipe", label_visibility="collapsed",
                 format_func=lambda name: RECIPES[name].title, on_change=_load,
                 args=(spec,))  # fmt: skip
        if loaded:
            _about(loaded, RECIPES[loaded])
        else:
            st.caption("Designs from tutorials, and some of our own: a click loads one into the "
                       "controls below.")  # fmt: skip
        if state.mine().before is not None:
            st.button("Back to my own design", key="own_design", type="tertiary",
                      icon=":material/undo:", on_click=_back)  # fmt: skip


def _about(name: str, recipe: Recipe) -> None:
    spec = recipe.spec
    said = in_words(spec)
    st.markdown(f"**{said[0].upper()}{said[1:]}**. {OPTIMIZERS[spec.optimizer].label}, batches of "
                f"{spec.batch_size}, {numbers.some(spec.epochs, 'epoch')}.")  # fmt: skip
    st.markdown(recipe.says)
    if found := recipe_figures.known().get(name):
        ours, keras = (recipe_figures.percent(x) for x in (found.ours, found.keras))
        st.markdown(f"Test accuracy of three seeds, the mean with the lowest and the highest: "
                    f"**{ours}**; plain Keras {keras}.")  # fmt: skip
    st.caption(recipe.source)
    if "backprop" in navigation.PAGES:
        with st.container(horizontal=True):
            for concept in recipe.concepts:
                navigation.link("backprop", concept, {"topic": "Concepts", "concept": concept})


def _load(own: RunSpec) -> None:
    """Load the recipe that was clicked; a second click on it takes back the own design."""
    mine, name = state.mine(), session.widget("recipe")
    if name is None:
        return _back()
    if mine.before is None and own not in [r.spec for r in RECIPES.values()]:
        mine.before = own
    design.load(RECIPES[name].spec)


def _back() -> None:
    mine = state.mine()
    if mine.before is not None:
        design.load(mine.before)
        mine.before = None
