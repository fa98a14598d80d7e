"The console command `tsr`, and `python -m tsr`: settings that must hold before PyTorch is loaded, then `tsr.cli`."
import os

def main():
    "Run the command line."
    # PyTorch's threads spin while they wait; on cores that something else uses too, that slows everything down tenfold
    os.environ.setdefault('OMP_WAIT_POLICY', 'PASSIVE')
    os.environ.setdefault('SVT_LOG', '1') # SVT-AV1 prints errors alone, not its settings
    try:
        from tsr.cli import main as run
    except KeyboardInterrupt: raise SystemExit(130) from None # while PyTorch is loaded
    run()

if __name__ == '__main__': main()
