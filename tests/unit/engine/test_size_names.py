"""The word that a dimension gets when nobody named it."""

from __future__ import annotations

import pytest

from ipy_fastcompile.engine.sizes.size_names import dimension_word


@pytest.mark.parametrize(
    ("path", "rank", "words"),
    [
        ("input_ids", 2, "batch length"),
        ("attention_mask", 2, "batch length"),
        ("attention_mask", 4, "batch heads queries keys"),
        ("position_ids", 1, "length"),
        ("inputs_embeds", 3, "batch length features"),
        ("encoder_hidden_states", 3, "batch length features"),
        ("pixel_values", 4, "batch channels height width"),
        ("image", 3, "channels height width"),
        ("past_key_values.layers[0].keys", 4, "batch heads length head_size"),
        ("cache.conv_states[0]", 3, "batch length features"),
        ("x", 1, "length"),
        ("x", 2, "batch length"),
        ("x", 4, "batch channels height width"),
        # Nothing is sure of these.
        ("x", 5, "0 1 2 3 4"),
        ("position_ids", 3, "0 1 2"),
        ("cache.held", 3, "0 1 2"),
    ],
)
def test_a_dimension_has_the_word_that_people_have_for_it(path: str, rank: int, words: str) -> None:
    found = [dimension_word(path, dim, rank) for dim in range(rank)]
    assert found == words.split()
    assert len(set(found)) == rank


@pytest.mark.parametrize(
    ("path", "dim", "word"),
    [
        ("input_ids", 1, "length"),
        ("pixel_values", 2, "height"),
        ("x", 1, "1"),
        ("ids", 7, "7"),
        ("ids", -1, "last"),
        ("ids", -2, "last_but_1"),
    ],
)
def test_of_a_tensor_that_is_not_known_its_name_tells_or_nothing(
    path: str, dim: int, word: str
) -> None:
    assert dimension_word(path, dim) == word
