from __future__ import annotations

from hypothesis import given, strategies as st

from ipy_fastcompile.show.fold import Item, fold_repeats


def test_a_llama_folds_into_one_pattern() -> None:
    kinds = ["K0", *["fx", "K1"] * 79, "fx", "K2"]
    assert fold_repeats(kinds) == (Item(0), Item(1, 2, 79), Item(159), Item(160))


def test_a_longer_pattern_wins_when_it_hides_more() -> None:
    # Three linear attention layers, then a full one, ten times over.
    kinds = ["L", "m", "L", "m", "L", "m", "F", "m"] * 10
    assert fold_repeats(kinds) == (Item(0, 8, 10),)


def test_a_pair_of_equals_is_not_worth_a_fold() -> None:
    assert fold_repeats("aab") == (Item(0), Item(1), Item(2))
    assert fold_repeats("aaab") == (Item(0, 1, 3), Item(3))
    assert fold_repeats("") == ()


@given(st.lists(st.sampled_from("abc"), max_size=60))
def test_items_cover_every_entry_once_and_repeat_truly(kinds: list[str]) -> None:
    at = 0
    for item in fold_repeats(kinds):
        assert item.first == at
        pattern = kinds[item.first : item.first + item.period]
        assert kinds[item.first : item.stop] == pattern * item.count
        at = item.stop
    assert at == len(kinds)
