"""names of Python's library, torch and NumPy -> whether what they do depends on values alone.

Tables only. Whatever is not in them is taken to read something that no key holds: the clock, a
file, a die, an address. A name that is missing costs a compile; a wrong one, wrong numbers.
"""

from __future__ import annotations

from .words import word_set

BUILTINS = word_set(
    """
    abs aiter all anext any bin bool bytearray bytes callable chr classmethod complex delattr dict
    dir divmod enumerate filter float format frozenset getattr hasattr help hex int isinstance
    issubclass iter len list locals map max min next object oct ord pow print property range
    reversed round set setattr slice sorted staticmethod str sum super tuple type vars zip
    Ellipsis False None NotImplemented True __build_class__ __debug__ __name__ __doc__
    NoneType NotImplementedType builtin_function_or_method ellipsis mappingproxy
    """
)

# Modules in which every public function and class is one of its arguments, or only shows.
WHOLE = word_set(
    """
    __future__ _abc _bisect _collections _collections_abc _contextvars _functools _heapq _json
    _operator _sre _statistics _string _struct _typing _weakrefset abc array base64 binascii bisect
    cmath collections collections.abc colorsys contextlib copy copyreg dataclasses
    decimal _decimal _pydecimal difflib enum fractions functools graphlib hashlib _hashlib _md5
    _sha1 _sha2 _sha256 _sha512 _blake2 heapq itertools json json.decoder json.encoder keyword
    math numbers operator re re._compiler re._constants re._parser string
    struct textwrap types typing typing_extensions unicodedata zlib html html.entities stat
    """
)
# What of the other modules is.
NAMES: dict[str, frozenset[str]] = {
    "_thread": word_set("allocate_lock RLock lock"),
    "_warnings": word_set("warn warn_explicit"),
    "_weakref": word_set("ref proxy ReferenceType ProxyType CallableProxyType"),
    "ast": word_set("literal_eval"),
    "datetime": word_set("date datetime time timedelta timezone tzinfo UTC MINYEAR MAXYEAR"),
    "inspect": word_set(
        """
        Parameter Signature BoundArguments signature isfunction ismethod isclass isbuiltin
        isgenerator isgeneratorfunction iscoroutinefunction ismodule isroutine isabstract unwrap
        cleandoc getmro getfullargspec FullArgSpec _empty _ParameterKind
        """
    ),
    "_contextvars": word_set("ContextVar Token"),
    "contextvars": word_set("ContextVar Token"),
    "io": word_set("StringIO BytesIO"),
    "_io": word_set("StringIO BytesIO"),
    "logging": word_set(
        """
        Logger LoggerAdapter Handler NullHandler Filter DEBUG INFO WARNING ERROR CRITICAL debug info
        warning error critical exception log getLevelName
        """
    ),
    "os": word_set("fspath PathLike sep linesep name altsep extsep pathsep curdir pardir"),
    "posix": word_set("fspath"),
    "pathlib": word_set("Path PurePath PosixPath PurePosixPath PureWindowsPath WindowsPath"),
    "posixpath": word_set(
        "join split splitext basename dirname normpath commonpath commonprefix isabs sep splitdrive"
    ),
    "statistics": word_set(
        """
        fmean mean median median_low median_high median_grouped mode multimode pstdev pvariance
        stdev variance geometric_mean harmonic_mean quantiles correlation covariance
        linear_regression
        """
    ),
    "sys": word_set(
        """
        version version_info maxsize platform byteorder float_info int_info hash_info
        implementation hexversion stdout stderr intern exc_info maxunicode
        """
    ),
    "threading": word_set("Lock RLock Condition Event Semaphore BoundedSemaphore Barrier"),
    "_thread.RLock": frozenset(),
    # What a GPU can do is in the stamp of the machine.
    "torch.cuda": word_set("get_device_capability get_device_properties synchronize empty_cache"),
    "traceback": word_set("format_exception format_exception_only print_exc format_exc"),
    "uuid": word_set("UUID uuid3 uuid5"),
    "warnings": word_set("warn warn_explicit simplefilter filterwarnings catch_warnings"),
    "_py_warnings": word_set("warn warn_explicit simplefilter filterwarnings catch_warnings"),
    "weakref": word_set(
        """
        ref proxy WeakKeyDictionary WeakValueDictionary WeakSet ReferenceType ProxyType WeakMethod
        """
    ),
}

# Of torch: packages in which everything is, by the module that defines it.
TORCH_WHOLE = (
    "torch._C._functorch", "torch._C._linalg", "torch._C._nn", "torch._C._special",
    "torch._C._fft", "torch._C._sparse", "torch._C._nested", "torch._compile",
    "torch._VF", "torch._decomp",
    "torch._dynamo", "torch._functorch", "torch._higher_order_ops", "torch._jit_internal",
    "torch._library", "torch._linalg_utils", "torch._lowrank", "torch._ops", "torch._prims_common",
    "torch._refs", "torch._sources", "torch._tensor", "torch._utils", "torch.amp", "torch.ao",
    "torch.autograd", "torch.backends", "torch.compiler", "torch.cpu", "torch.cuda.amp",
    "torch.cuda.nvtx", "torch.distributions", "torch.export", "torch.fft", "torch.func",
    "torch.functional", "torch.fx", "torch.jit", "torch.library", "torch.linalg", "torch.masked",
    "torch.nested", "torch.nn", "torch.onnx", "torch.ops", "torch.overrides",
    "torch.quantization", "torch.return_types", "torch.signal", "torch.sparse", "torch.special",
    "torch.torch_version", "torch.types", "torch.utils._contextlib", "torch.utils._python_dispatch",
    "torch.utils._pytree", "torch.utils.checkpoint", "torch.utils.dlpack", "torch.utils.hooks",
    "torch.utils._traceback", "torch.version", "torch._vmap_internals", "torch.utils._typing_utils",
    "torch.utils._triton",
)  # fmt: skip
# Of torch's top level and of its extension module, beside the ops.
TORCH_NAMES = word_set(
    """
    BFloat16Tensor BoolTensor ByteTensor CharTensor DoubleTensor FloatTensor HalfTensor IntTensor
    LongTensor ShortTensor Size SymBool SymFloat SymInt Tensor TensorBase _TensorBase autocast
    compile cond device dtype enable_grad finfo iinfo inference_mode is_storage is_tensor layout
    memory_format no_grad qscheme set_autocast_enabled set_grad_enabled sym_float sym_fresh_size
    sym_int sym_ite sym_max sym_min sym_not sym_sqrt sym_sum typename vmap while_loop _assert
    _check _check_index _check_is_size _check_tensor_all _check_type _check_value _check_with
    _constrain_as_size _log_api_usage_once _get_tracing_state _is_tracing _jit_set_profiling_mode
    DisableTorchFunction DisableTorchFunctionSubclass _DisableTorchDispatch
    _disabled_torch_dispatch_impl _disabled_torch_function_impl get_device_module
    OutOfMemoryError autocast_increment_nesting
    autocast_decrement_nesting clear_autocast_cache set_autocast_dtype set_autocast_cache_enabled
    _has_torch_function _has_torch_function_unary _has_torch_function_variadic _add_docstr
    is_autocast_enabled get_autocast_dtype is_autocast_cache_enabled is_autocast_cpu_enabled
    get_autocast_gpu_dtype get_autocast_cpu_dtype is_deterministic_algorithms_warn_only_enabled
    are_deterministic_algorithms_enabled get_default_dtype get_default_device get_num_threads
    get_float32_matmul_precision get_deterministic_debug_mode get_compiler_config
    _get_privateuse1_backend_name parse_schema _unwrap_if_dead classproperty
    RecursiveScriptModule ScriptModule ScriptFunction
    StreamObjType _LinAlgError
    """
)  # fmt: skip
# Of these packages and ops, what reads a file or memory all the same.
TORCH_NOT = word_set("from_file frombuffer load save")
# Functions whose answer is the process's: it becomes part of the key.
ANSWERED = word_set(
    """
    torch.is_grad_enabled torch.is_inference_mode_enabled torch.get_num_interop_threads
    torch.cuda.is_available torch.cuda.device_count torch.cuda.is_bf16_supported
    torch.cuda.is_initialized torch.xpu.is_available torch.xpu.device_count torch.mps.is_available
    torch.distributed.is_available torch.is_warn_always_enabled torch.is_anomaly_enabled
    torch.distributed.distributed_c10d.is_initialized
    torch.accelerator.is_available torch.npu.is_available torch.mlu.is_available
    numpy.geterr numpy.get_printoptions decimal.getcontext locale.getlocale
    platform.system platform.machine platform.python_version os.cpu_count posix.cpu_count
    sys.getrecursionlimit sys.getdefaultencoding sys.getfilesystemencoding
    """
)

# Modules and functions that answer differently each time; clocks are for telling, in packages.
RANDOM = word_set(
    """
    _random _uuid random secrets socket _socket numpy.random numpy.random.mtrand
    numpy.random._generator uuid.uuid1 uuid.uuid4 os.urandom posix.urandom
    torch.random.initial_seed torch.random.seed _thread.get_ident threading.get_ident
    """
)

# Globals of packages that only tell one process from another; they go with what is fetched.
SESSIONS = word_set("transformers.utils.hub.SESSION_ID diffusers.utils.hub_utils.SESSION_ID")

# Packages that fetch, store, show and schedule for others. What they do is no part of what a model
# computes, and what other packages' code may reach in them is not followed; their versions count.
SERVANTS = word_set(
    """
    PIL _distutils_hack accelerate anyio certifi charset_normalizer click dill filelock fsspec h11
    hf_xet httpcore httpx huggingface_hub idna jinja2 markupsafe multiprocess packaging
    pkg_resources
    psutil pygments requests rich safetensors sentencepiece setuptools sniffio tokenizers tqdm
    truststore urllib3 yaml httpcore2 httpx2
    """
)

# Names under which packages read files.
READERS = word_set(
    """
    load loads open fromfile memmap loadtxt genfromtxt load_file safe_open read_csv read_json
    read_excel read_hdf read_parquet read_pickle read_table read_image read_file read_video
    from_file from_pretrained imread urlopen load_state_dict_from_url default_rng random
    """
)
# Namespaces of ops that torch or a known package implements in C++; its version is in the key.
OP_NAMESPACES = word_set(
    """
    _c10d_functional _dtensor _quantized aten c10d c10d_functional inductor mkl mkldnn onednn
    mkldnn_prepacked onednn_graph prepacked prim prims profiler quantized
    quantized_decomposed rngprims sparse symm_mem torchvision xnnpack
    """
)

NUMPY_WHOLE = ("numpy.linalg", "numpy.fft", "numpy.polynomial", "numpy.strings",
               "numpy.char", "numpy.typing", "numpy.exceptions", "numpy.dtypes")  # fmt: skip
NUMPY = word_set(
    """
    abs absolute acos acosh add all allclose amax amin angle any append apply_along_axis
    apply_over_axes arange arccos arccosh arcsin arcsinh arctan arctan2 arctanh argmax argmin
    argpartition argsort argwhere around array array_equal array_equiv array_split asanyarray
    asarray asarray_chkfinite ascontiguousarray asfortranarray asin asinh astype atan atan2 atanh
    atleast_1d atleast_2d atleast_3d average bartlett base_repr binary_repr bincount bitwise_and
    bitwise_count bitwise_invert bitwise_left_shift bitwise_not bitwise_or bitwise_right_shift
    bitwise_xor blackman block bmat broadcast broadcast_arrays broadcast_shapes broadcast_to
    can_cast cbrt ceil choose clip column_stack common_type compress concat concatenate conj
    conjugate convolve copy copysign copyto corrcoef correlate cos cosh count_nonzero cov cross
    cumprod cumsum cumulative_prod cumulative_sum deg2rad degrees delete diag diag_indices
    diag_indices_from diagflat diagonal diff digitize divide divmod dot dsplit dstack dtype
    ediff1d einsum einsum_path equal errstate exp exp2 expand_dims expm1 extract eye fabs
    fill_diagonal finfo fix flatiter flatnonzero flip fliplr flipud float_power floor floor_divide
    fmax fmin fmod format_float_positional format_float_scientific frexp fromfunction fromiter
    fromstring full full_like gcd geomspace gradient greater greater_equal hamming hanning
    heaviside histogram histogram2d histogram_bin_edges histogramdd hsplit hstack hypot i0
    identity iinfo imag indices inner insert interp intersect1d invert isclose iscomplex
    iscomplexobj isdtype isfinite isfortran isin isinf isnan isnat isneginf isposinf isreal
    isrealobj isscalar issubdtype iterable ix_ kaiser kron lcm ldexp left_shift less less_equal
    lexsort linspace log log10 log1p log2 logaddexp logaddexp2 logical_and logical_not logical_or
    logical_xor logspace mask_indices matmul matrix matrix_transpose matvec max maximum mean
    median meshgrid min min_scalar_type minimum mod modf moveaxis multiply nan_to_num nanargmax
    nanargmin nancumprod nancumsum nanmax nanmean nanmedian nanmin nanpercentile nanprod
    nanquantile nanstd nansum nanvar ndarray ndenumerate ndim ndindex nditer negative nextafter
    nonzero not_equal ones ones_like outer packbits pad partition percentile permute_dims
    piecewise place poly poly1d polyadd polyder polydiv polyfit polyint polymul polysub polyval
    positive pow power prod promote_types ptp put put_along_axis putmask quantile rad2deg radians
    ravel ravel_multi_index real real_if_close reciprocal recarray record remainder repeat require
    reshape resize result_type right_shift rint roll rollaxis roots rot90 round row_stack
    searchsorted select setdiff1d setxor1d shape sign signbit sin sinc sinh size sort sort_complex
    spacing split sqrt square squeeze stack std subtract sum swapaxes take take_along_axis tan
    tanh tensordot tile trace transpose trapezoid trapz tri tril tril_indices tril_indices_from
    trim_zeros triu triu_indices triu_indices_from true_divide trunc typename ufunc union1d unique
    unique_all unique_counts unique_inverse unique_values unpackbits unravel_index unstack unwrap
    vander var vdot vecdot vecmat vectorize vsplit vstack where zeros zeros_like
    """
)

# Members of classes that are fine otherwise, by the class.
MEMBERS_NOT: dict[str, frozenset[str]] = {
    "datetime.date": word_set("today fromtimestamp ctime strftime"),
    "datetime.datetime": word_set(
        "now today utcnow fromtimestamp utcfromtimestamp timestamp astimezone strftime strptime"
    ),
    "pathlib.Path": word_set(
        """
        absolute chmod cwd exists expanduser glob group hardlink_to home is_block_device
        is_char_device is_dir is_fifo is_file is_junction is_mount is_socket is_symlink iterdir
        lchmod lstat mkdir open owner read_bytes read_text readlink resolve rglob rmdir samefile
        stat symlink_to touch unlink walk write_bytes write_text
        """
    ),
    "numpy.ndarray": word_set("ctypes tofile __array_interface__"),
    "object": word_set("__subclasses__ __sizeof__"),
}
# Members that tell an address, a counter or a frame, whatever they are members of.
TELLTALE = word_set(
    """
    __array_interface__ __builtins__ __cuda_array_interface__ __globals__ __loader__ __sizeof__
    __subclasses__ _cdata _version ag_frame cr_frame data_ptr f_back f_builtins f_globals f_locals
    __hash__ __repr__ __self__ from_address from_buffer getswitchinterval is_inference is_pinned
    is_shared gi_frame grad grad_fn in_dll tb_frame weakref
    """
) - {"weakref"}  # fmt: skip
