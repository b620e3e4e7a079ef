"""Lets torchrun of PyTorch 1.13 start under Python 3.11, whose IntFlag no longer lists its zero member when iterated."""
import sys


class _Mended:
    def find_spec(self, name, path=None, target=None):
        if name != "torch.distributed.elastic.multiprocessing.api":
            return None
        sys.meta_path.remove(self)
        import importlib.util

        spec = importlib.util.find_spec(name)
        run = spec.loader.exec_module

        def exec_module(module):
            run(module)
            from_str = module.Std.from_str.__func__

            def mended(cls, text):
                return cls(int(text)) if text.isdigit() else from_str(cls, text)

            module.Std.from_str = classmethod(mended)

        spec.loader.exec_module = exec_module
        return spec


if sys.version_info >= (3, 11):
    sys.meta_path.insert(0, _Mended())
