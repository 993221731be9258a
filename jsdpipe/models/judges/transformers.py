"""The judge `transformers`: a local chat model with greedy decoding.

The start of the answer is given to the model. The grade is the likeliest of the five digits that may follow, so there
is always a grade, and no text under evaluation can change the answer's form. The merged caption is what the model
writes up to the closing quote.
"""

import json
from collections.abc import Callable
from pathlib import Path

from pydantic import Field

from jsdpipe.base.errors import UserError, first_line
from jsdpipe.model_files.formats import CHAT
from jsdpipe.model_files.pretrained import weights
from jsdpipe.models import questions
from jsdpipe.models.language_judge import Answer, LanguageJudge
from jsdpipe.models.questions import PROMPT_VERSION, Messages
from jsdpipe.models.roles import JUDGES
from jsdpipe.models.settings import Dtype, Pretrained

LONGEST_ANSWER = 100  # tokens
GREEDY = {"do_sample": False, "num_beams": 1, "repetition_penalty": 1.0, "max_new_tokens": LONGEST_ANSWER}
BEFORE_THE_CAPTION, BEHIND_IT = '{"caption": "', '"}'
BEFORE_THE_GRADE = '{"grade": '
GRADES = "12345"


@JUDGES.register("transformers")
class ChatJudge(LanguageJudge):
    """A causal language model that has a chat template."""

    class Settings(Pretrained):
        """A local chat model, such as Qwen/Qwen2.5-7B-Instruct."""

        system_role: bool = Field(default=True, description="false: the instructions are part of the user's message")
        dtype: Dtype = Field(default="bfloat16", description="used on GPUs; CPUs use float32")
        format = CHAT

    def __init__(self, settings: Settings, device: str = "cpu", calls: Path | None = None) -> None:
        from transformers import AutoModelForCausalLM, AutoTokenizer
        from transformers.utils import logging

        from jsdpipe.base.device import number_format

        super().__init__(settings.system_role)
        folder, system_role = settings.fetched(), settings.system_role
        logging.disable_progress_bar()
        logging.set_verbosity_error()  # `weights` reports problems in one line
        form = f"prompts {PROMPT_VERSION}{'' if system_role else ' without a system role'}"
        self.device, number = device, number_format(settings.dtype, device)
        self.identity = f"{settings.model} sha256:{CHAT.digest(folder)} {str(number).removeprefix('torch.')}, {form}"
        try:
            self._tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
            self._before_the_grade(questions.grading("a", "b").messages(system_role=system_role))
        except Exception as error:  # the tokenizer and the template may raise any type
            raise UserError(
                f"{folder}: no tokenizer with a chat template for this judge ({first_line(error)}); take another "
                "model, or set alignment.judge.system_role: false if the model has no system role"
            ) from None
        self._model = weights(AutoModelForCausalLM, folder, dtype=number).to(self.device)

    def grade(self, prompt: str, caption: str) -> int:
        import torch

        messages = questions.grading(prompt, caption).messages(system_role=self._system_role)
        tokens, digits = self._before_the_grade(messages)
        with torch.no_grad():
            logits = self._model(torch.tensor([tokens], device=self.device)).logits[0, -1, digits].float().cpu()
        grade = int(logits.argmax()) + 1
        odds = [round(p, 4) for p in logits.double().softmax(dim=0).tolist()]
        self._answers.append(json.dumps({"grade": grade, "probabilities": odds}))
        return grade

    def _answer(self, messages: Messages, understood: Callable[[Answer], bool]) -> Answer:
        import torch

        tokens = torch.tensor([self._tokens(self._text(messages) + BEFORE_THE_CAPTION)], device=self.device)
        answer = self._model.generate(
            tokens, attention_mask=torch.ones_like(tokens), stop_strings=['"'], tokenizer=self._tokenizer, **GREEDY
        )[0, tokens.shape[1] :]
        text: str = self._tokenizer.decode(answer, skip_special_tokens=True)
        caption, quote, _ = text.partition('"')
        whole = bool(quote) or len(answer) < GREEDY["max_new_tokens"]
        return Answer(BEFORE_THE_CAPTION + caption + (BEHIND_IT if whole else ""), whole)

    def _text(self, messages: Messages) -> str:
        """The chat as text up to the model's answer; reasoning is disabled if the template supports that."""
        text: str = self._tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, enable_thinking=False
        )
        return text

    def _tokens(self, text: str) -> list[int]:
        tokens: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        return tokens

    def _before_the_grade(self, messages: Messages) -> tuple[list[int], list[int]]:
        """The tokens of a chat up to the grade, and one token for each grade; ValueError if a grade has several."""
        text = self._text(messages) + BEFORE_THE_GRADE
        graded = [self._tokens(text + digit) for digit in GRADES]
        if len({tuple(tokens[:-1]) for tokens in graded}) > 1 or len({tokens[-1] for tokens in graded}) < len(GRADES):
            raise ValueError("digits are not tokens of their own")
        return graded[0][:-1], [tokens[-1] for tokens in graded]
