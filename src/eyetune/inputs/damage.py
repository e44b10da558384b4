"""The errors that damaged files cause in the libraries that read them."""

from __future__ import annotations

import tokenize
import zipfile
import zlib

# zipfile, zlib, NumPy, h5py and JSON values of another form raise these. RuntimeError includes
# NotImplementedError (methods of compression) and RecursionError (deep JSON).
DAMAGE_ERRORS = (
    OSError,
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    OverflowError,
    RuntimeError,
    MemoryError,
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,  # of NumPy, for headers of arrays, and so is SyntaxError
    SyntaxError,
)
