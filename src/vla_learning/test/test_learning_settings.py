import pytest
import yaml

from vla_learning.learning_settings import Settings, SettingsError
from vla_learning.tiny_learning import SHIPPED, tiny_config
from vla_learning.train.tokenizer_fit import build_tokenizer, encode_commands


def test_the_shipped_config(root):
    settings = Settings.load(root / SHIPPED)
    assert settings.action_space.exists()
    assert set(settings.tasks) >= {"drawer-open", "button-press-topdown", "window-open"}
    tokenizer = build_tokenizer(settings.commands, settings.max_words)
    for wordings in settings.commands.values():
        assert all(tokenizer.encode(wording).unknown == () for wording in wordings)


@pytest.mark.parametrize("path", ["space.yaml", "../space.yaml", "deep/space.yaml"])
def test_paths_are_relative_to_the_config(root, tmp_path, path):
    folder = tmp_path / "a" / "b"
    (folder / "deep").mkdir(parents=True)
    file = folder / "own.yaml"
    file.write_text(yaml.safe_dump({**tiny_config(root), "action_space": path}))
    assert Settings.load(file).action_space == folder / path
    (folder / path).touch()
    assert Settings.load(file).action_space == folder / path


def test_a_path_of_the_folder_above_the_config_s_answers_as_before(root, tmp_path):
    (tmp_path / "learning").mkdir()
    (tmp_path / "space.yaml").touch()
    file = tmp_path / "learning" / "own.yaml"
    file.write_text(yaml.safe_dump({**tiny_config(root), "action_space": "space.yaml"}))
    assert Settings.load(file).action_space == tmp_path / "space.yaml"


def test_the_published_instructions_are_among_the_wordings(root):
    from vla_sim.tasks.task_list import instruction

    for task, wordings in Settings.load(root / SHIPPED).commands.items():
        assert instruction(task).lower() in wordings


def test_the_grounding_scenes_wordings_are_the_simulators_and_none_is_held_out(root):
    from vla_sim.tasks import grounding_tasks

    held_out = {
        w for task in grounding_tasks.tasks() for w in grounding_tasks.wordings(task, held_out=True)
    }
    configs = [Settings.load(path) for path in (root / "config/learning").glob("*.yaml")]
    assert any(set(grounding_tasks.tasks()) <= set(settings.tasks) for settings in configs)
    for settings in configs:
        for task, wordings in settings.commands.items():
            if task in grounding_tasks.TASKS:
                assert not held_out & set(wordings)
                assert wordings == grounding_tasks.wordings(task)


def test_vocabulary_is_ordered_and_starts_with_padding_and_unknown():
    tokenizer = build_tokenizer({"a": ["Open the door!"], "b": ["open it"]}, 4)
    assert tokenizer.words == ("<padding>", "<unknown>", "door", "it", "open", "the")
    tokens, counts = encode_commands(tokenizer, {"a": ["open the door"], "b": ["it"]})[0]
    assert tokens.tolist() == [[4, 5, 2, 0]] and counts.tolist() == [3]


@pytest.mark.parametrize(
    ("change", "text"),
    [
        (lambda d: d.pop("train"), "the file lacks train"),
        (lambda d: d["train"].pop("steps"), "train lacks steps"),
        (lambda d: d["train"].update(stepz=1), "train has unknown stepz"),
        (lambda d: d["train"].update(steps=0), "steps is 0; accepted: a whole number from 1 on"),
        (lambda d: d["train"].update(camera_dropout=2), "camera_dropout is 2; accepted"),
        (lambda d: d["train"].update(processes=3), "batch_size is 4; accepted: a multiple of proc"),
        (lambda d: d["collect"].update(episodes="many"), "episodes is 'many'; accepted"),
        (lambda d: d.update(commands={}), "commands is not a mapping with entries"),
        (lambda d: d["image"].update(height="big"), "image.height is 'big'; accepted: a whole"),
        (lambda d: d.update(max_words=0), "max_words is 0; accepted: a whole number from 1 on"),
        (lambda d: d["commands"].update(one=None), "commands.one is None; accepted: a list"),
        (lambda d: d["commands"].update(one="open it"), "commands.one is 'open it'; accepted"),
        (lambda d: d.update(cameras="corner2"), "cameras is 'corner2'; accepted: a list"),
        (lambda d: d.update(cameras=["a", "a"]), "accepted: each name once"),
        (lambda d: d.update(state_names=["end_effector.q"]), "state_names has 'end_effector.q'"),
        (lambda d: d["train"].update(state_noise=0.1), "state_noise is 0.1; accepted: a list"),
        (lambda d: d["train"].update(state_noise=[0.1]), "state_noise has 1 numbers; accepted: 4"),
        (lambda d: d["train"].update(steps=1.5), "steps is 1.5; accepted: a whole number"),
        (lambda d: d["train"].update(seed="a"), "seed is 'a'; accepted: a whole number from 0"),
        (lambda d: d["train"].update(brightness=-3), "brightness is -3; accepted: a number from 0"),
        (lambda d: d["train"].update(bfloat16="no"), "bfloat16 is 'no'; accepted: true or false"),
        (lambda d: d["train"].update(learning_rate=float("nan")), "learning_rate is nan; accepted"),
        (lambda d: d["collect"].update(first_seed=-5), "first_seed is -5; accepted: a whole"),
    ],
)
def test_refused(tmp_path, root, change, text):
    data = tiny_config(root)
    change(data)
    path = tmp_path / "bad.yaml"
    path.write_text(yaml.safe_dump(data))
    with pytest.raises(SettingsError, match=f"bad.yaml: .*{text}"):
        Settings.load(path)


def test_no_file_and_no_yaml(tmp_path):
    with pytest.raises(SettingsError, match="No such file"):
        Settings.load(tmp_path / "none.yaml")
    path = tmp_path / "broken.yaml"
    path.write_text("a: [")
    with pytest.raises(SettingsError, match="not YAML"):
        Settings.load(path)
