"""Private torch APIs -> named functions: the only files that touch ``torch._*``.

One file a topic, one function a private API, with the versions it was seen on. Nothing of
`torch._dynamo` or `torch._inductor` is imported before it is used, so that the native reload path
stays free of them.
"""
