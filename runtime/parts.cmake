# The rooms of the runtime, lowest layer first. Who may include whom is checked by `make check`.
tutti_library(base FOLDERS runtime/base)
