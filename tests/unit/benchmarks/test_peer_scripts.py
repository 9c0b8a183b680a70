from __future__ import annotations

import ast

import pytest

from tests.benchmarks.peer_scripts import OURS, PEERS, SERVE


@pytest.mark.parametrize("name", PEERS)
def test_a_script_defines_what_its_child_calls(name: str) -> None:
    tree = ast.parse(PEERS[name].script + SERVE)
    defined = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assigned = {
        target.id
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    wanted = {"load"} if PEERS[name].kept_by else {"cold", "load"}
    assert wanted <= defined | assigned
    assert "IMPORTS" in assigned


def test_a_peer_that_has_no_cold_run_reloads_that_of_one_that_has() -> None:
    for peer in PEERS.values():
        assert not peer.kept_by or not PEERS[peer.kept_by].kept_by
    assert [PEERS[name].kept_by for name in OURS] == ["native", "native", ""]
