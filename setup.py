"Everything about the package is in settings.ini; this reads it for pip."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

here = Path(__file__).resolve().parent
parser = ConfigParser(delimiters=['='])
parser.read_string((here/'settings.ini').read_text(encoding='utf-8')) # `read` would skip a missing file, and fail later with a KeyError
cfg = parser['DEFAULT']
names = dict(notebooks='notebooks_requirements', track='track_requirements', tune='tune_requirements', dask='dask_requirements',
             experiments='experiments_requirements', onnx='onnx_requirements', dev='dev_requirements')
extras = {extra: cfg[key].split() for extra, key in names.items()}
statuses = {'1': 'Planning', '2': 'Pre-Alpha', '3': 'Alpha', '4': 'Beta', '5': 'Production/Stable'}
first, last = (int(cfg[key].split('.')[1]) for key in ('min_python', 'max_python'))

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=(here/'README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license_expression='Apache-2.0', # takes the place of a licence classifier (setuptools 77 and newer, which pip brings for the build)
    license_files=['LICENSE'],
    url=cfg['git_url'],
    project_urls={'Documentation': cfg['doc_host'] + cfg['doc_baseurl'], 'Changelog': f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md"},
    author=cfg['author'],
    author_email=cfg['author_email'],
    keywords=cfg['keywords'].split(),
    classifiers=[f"Development Status :: {cfg['status']} - {statuses[cfg['status']]}",
                 f"Intended Audience :: {cfg['audience']}",
                 'Intended Audience :: Science/Research',
                 f"Natural Language :: {cfg['language']}",
                 'Framework :: Jupyter',
                 'Operating System :: OS Independent',
                 'Topic :: Multimedia :: Video',
                 'Topic :: Scientific/Engineering :: Image Processing',
                 'Programming Language :: Python :: 3 :: Only',
                 *(f'Programming Language :: Python :: 3.{minor}' for minor in range(first, last + 1))],
    packages=find_packages(include=['tsr', 'tsr.*']),
    package_data={'tsr': ['weights/*']},
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg['requirements'].split(),
    extras_require=extras,
    entry_points={'console_scripts': cfg['console_scripts'].split(), 'nbdev': [f"tsr={cfg['lib_path']}._modidx:d"]},
    zip_safe=False,
)
