"Everything about the package stands in settings.ini; this reads it for pip."
from configparser import ConfigParser
from pathlib import Path
from setuptools import find_packages, setup

parser = ConfigParser(delimiters=['='])
parser.read('settings.ini', encoding='utf-8')
cfg = parser['DEFAULT']
names = dict(notebooks='notebooks_requirements', track='track_requirements',
             experiments='experiments_requirements', onnx='onnx_requirements', dev='dev_requirements')
extras = {extra: cfg[key].split() for extra, key in names.items()}
minor = int(cfg['min_python'].split('.')[1])

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=Path('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    license='Apache-2.0',
    url=cfg['git_url'],
    author=cfg['author'],
    author_email=cfg['author_email'],
    keywords=cfg['keywords'],
    classifiers=['Development Status :: 3 - Alpha',
                 f"Intended Audience :: {cfg['audience']}",
                 f"Natural Language :: {cfg['language']}",
                 *(f'Programming Language :: Python :: 3.{v}' for v in range(minor, 15))],
    packages=find_packages(include=['tsr', 'tsr.*']),
    package_data={'tsr': ['weights/*']},
    python_requires=f">={cfg['min_python']}",
    install_requires=cfg['requirements'].split(),
    extras_require=extras,
    entry_points={'console_scripts': cfg['console_scripts'].split(), 'nbdev': [f"tsr={cfg['lib_path']}._modidx:d"]},
    zip_safe=False,
)
