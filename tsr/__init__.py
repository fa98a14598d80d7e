__version__ = "0.2.0"

# `import tsr` is quick: what is named here is fetched from its module at first use (PEP 562).
_HOMES = dict(Upscaler='inference', evaluate='evaluation', MultiTrainer='training', TrainConfig='training',
              MultiVideoDataset='dataset', load_model='model', TSRError='core', probe='video', read_frames='video')
__all__ = list(_HOMES)
_HOMES |= dict(TrainingPanel='panels', UpscalePanel='panels', compare='widgets') # `from tsr import *` must work without ipywidgets

def __getattr__(name):
    if name not in _HOMES: raise AttributeError(f"module 'tsr' has no attribute {name!r}")
    from importlib import import_module
    return getattr(import_module(f'tsr.{_HOMES[name]}'), name)

def __dir__(): return sorted([*globals(), *_HOMES])
