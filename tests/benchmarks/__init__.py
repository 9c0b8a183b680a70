"""``python -m tests.benchmarks`` -> measured tables, as text, Markdown and JSON.

``models`` reloads the five model families of vllm-project/vllm#40151 along every path, ``peers``
sets PyTorch's own ways of keeping a compiled model beside ours, ``native`` checks what the native
path promises, ``growth`` finds what grows worse than the graph; ``all`` does all of it in one run,
and ``show`` prints a saved result again.

Every measurement is made in a process of its own. What fails is a row that says why. On a machine
that others use, set ``OMP_WAIT_POLICY=passive``: with fewer free cores than threads, OpenMP's
waiting threads keep the working ones from the processor, and a call takes seconds.
"""
