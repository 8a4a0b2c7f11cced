"""What clients of the embedded corpus talk about: ten topics, in the client's own words.

Every phrase is in the first person; ``emorl.data.statements.second_person`` turns it round. A
situation, barrier or strength is a clause ("I smoke a pack a day"), a goal completes "I want
to ...", a subject completes "about ...". All phrases were written for this project.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic:
    """The phrases of one topic."""

    name: str
    subjects: tuple[str, ...]
    situations: tuple[str, ...]
    barriers: tuple[str, ...]
    goals: tuple[str, ...]
    strengths: tuple[str, ...]
    advice: tuple[str, ...]


TOPICS = (
    Topic(
        name="smoking",
        subjects=("smoking", "the cigarettes"),
        situations=(
            "I smoke a pack a day",
            "I light up before I am even out of bed",
            "I have started smoking again after two years",
            "I hide my cigarettes from my family",
            "I smoke on the balcony every night",
            "my doctor found a shadow on my lung",
        ),
        barriers=(
            "every coffee break pulls me back",
            "all my friends smoke too",
            "nothing else calms me down",
            "I get so irritable without one",
            "I am scared of gaining weight",
            "the patches never worked for me",
        ),
        goals=(
            "climb the stairs without gasping",
            "stop for good this year",
            "see my grandchildren grow up",
            "wake up without that cough",
            "spend the money on something better",
            "go a whole weekend without one",
        ),
        strengths=("I managed ten days last spring", "I already cut down to half a pack"),
        advice=("try nicotine gum", "throw away the ashtrays", "call a quit line"),
    ),
    Topic(
        name="drinking",
        subjects=("drinking", "the wine"),
        situations=(
            "I drink a bottle of wine most evenings",
            "I missed work twice after drinking",
            "my wife found the empty bottles",
            "I said awful things at the wedding",
            "I pour a drink as soon as I get home",
            "I was stopped by the police on Friday",
        ),
        barriers=(
            "the evenings feel endless without a glass",
            "my friends only meet in bars",
            "I cannot fall asleep sober",
            "one drink always turns into five",
            "it is the only thing that takes the edge off",
            "my boss expects me to drink with clients",
        ),
        goals=(
            "wake up with a clear head",
            "drink only on special days",
            "earn my wife's trust again",
            "get through a party sober",
            "keep my licence",
            "remember my evenings",
        ),
        strengths=("I stayed dry for all of January", "I told my sister the truth"),
        advice=("keep no alcohol at home", "count your drinks", "join a support group"),
    ),
    Topic(
        name="exercise",
        subjects=("moving more", "my body"),
        situations=(
            "I have not exercised in years",
            "I get out of breath on one flight of stairs",
            "I pay for a gym that I never visit",
            "I gave up running after the injury",
            "I sit at a desk ten hours a day",
            "my knees hurt whenever I walk far",
        ),
        barriers=(
            "I feel watched at the gym",
            "I have no energy left after work",
            "the pain comes back each time",
            "it is always raining or dark",
            "I give up after a week",
            "the children need me all evening",
        ),
        goals=(
            "play football with my son",
            "feel at home in my body",
            "walk to the lake again",
            "run five kilometres by summer",
            "carry the shopping without a break",
            "keep up with my friends on hikes",
        ),
        strengths=("I used to swim every week", "I took the stairs twice this week"),
        advice=("take a short walk at lunch", "join a beginners' class", "buy better shoes"),
    ),
    Topic(
        name="eating",
        subjects=("eating", "food"),
        situations=(
            "I eat in secret after everyone is asleep",
            "my blood sugar is too high again",
            "I have been on every diet there is",
            "I skip meals and then eat everything",
            "I have takeaway five nights a week",
            "I put on weight after the baby came",
        ),
        barriers=(
            "sweets are my only comfort",
            "nobody else at home wants to change",
            "healthy food costs too much",
            "I am too tired to cook",
            "my mother insists on second helpings",
            "I lose control when I am stressed",
        ),
        goals=(
            "eat dinner without guilt",
            "bring my blood sugar down",
            "fit into my old clothes",
            "cook real meals again",
            "have a good example for my kids",
            "stop thinking about food all day",
        ),
        strengths=("I cooked at home three times last week", "I stopped buying soda"),
        advice=("plan your meals on Sunday", "eat more vegetables", "keep a food diary"),
    ),
    Topic(
        name="sleep",
        subjects=("sleep", "the nights"),
        situations=(
            "I lie awake until three most nights",
            "I have slept badly since the move",
            "I nearly fell asleep at the wheel",
            "I wake up at four and cannot settle",
            "I take sleeping pills every night",
            "I doze off in meetings",
        ),
        barriers=(
            "my thoughts start racing in bed",
            "I keep reaching for my phone",
            "the baby wakes me every two hours",
            "my shifts change all the time",
            "the street is so noisy",
            "I dread the next sleepless night",
        ),
        goals=(
            "wake up rested",
            "sleep through the night",
            "get off the pills",
            "have patience with my children again",
            "enjoy my evenings again",
            "stop living on coffee",
        ),
        strengths=("I slept well on holiday", "I already leave my phone in the kitchen"),
        advice=("go to bed at the same time", "keep the room dark", "avoid coffee after noon"),
    ),
    Topic(
        name="medication",
        subjects=("the pills", "my treatment"),
        situations=(
            "I keep forgetting my pills",
            "I stopped my tablets a month ago",
            "I was told to take insulin",
            "I only take my medicine on bad days",
            "I have six different pills to take",
            "my blood pressure is still too high",
        ),
        barriers=(
            "the side effects make me foggy",
            "I hate depending on a drug",
            "I do not trust the doctors",
            "the needles frighten me",
            "I feel fine without them",
            "my days never look the same",
        ),
        goals=(
            "stay out of hospital",
            "feel like myself again",
            "get my blood pressure under control",
            "understand what the pills do",
            "have a say in my treatment",
            "need fewer tablets some day",
        ),
        strengths=("I never miss an appointment", "I took every dose last week"),
        advice=("use a pill box", "set an alarm", "talk to your pharmacist"),
    ),
    Topic(
        name="work",
        subjects=("work", "the job"),
        situations=(
            "I work through every weekend",
            "my boss shouts at me in meetings",
            "I lost my job in March",
            "I cry in the car before work",
            "I was passed over for the promotion again",
            "I answer emails until midnight",
        ),
        barriers=(
            "I cannot afford to quit",
            "I never learned to say no",
            "the team would fall apart without me",
            "nobody answers my applications",
            "I am afraid of being replaced",
            "the mortgage has to be paid",
        ),
        goals=(
            "be home for dinner",
            "find work that I believe in",
            "leave on time twice a week",
            "stand up for myself",
            "look forward to Mondays again",
            "start my own little shop",
        ),
        strengths=("I asked for a day off and got it", "I trained three new people this year"),
        advice=("talk to your boss", "update your resume", "turn off your email at night"),
    ),
    Topic(
        name="loneliness",
        subjects=("being on my own", "the silence at home"),
        situations=(
            "I moved here and know nobody",
            "I eat alone every evening",
            "I have hardly spoken to anyone this week",
            "my husband died last winter",
            "my best friend stopped calling",
            "the house is empty since the kids left",
        ),
        barriers=(
            "I never know what to say",
            "everyone seems to have friends already",
            "I cancel at the last minute",
            "I do not want to be a burden",
            "talking to strangers exhausts me",
            "I am afraid of being turned away",
        ),
        goals=(
            "have someone to laugh with",
            "call my brother again",
            "feel part of something",
            "invite people over for dinner",
            "find one real friend",
            "sing in a choir again",
        ),
        strengths=("I talked to my neighbour yesterday", "I used to be a loyal friend"),
        advice=("join a club", "call an old friend", "volunteer somewhere"),
    ),
    Topic(
        name="caregiving",
        subjects=("caring for my parents", "the caregiving"),
        situations=(
            "I look after my mother day and night",
            "my father does not know my name any more",
            "my brother leaves all the care to me",
            "I gave up my job to nurse my mother",
            "I shouted at my mother yesterday",
            "I have not had a day off since May",
        ),
        barriers=(
            "my mother refuses help from strangers",
            "I promised never to use a home",
            "there is nobody to take over",
            "I feel selfish when I rest",
            "we cannot pay for a nurse",
            "the forms are too much for me",
        ),
        goals=(
            "have one evening to myself",
            "be patient with my parents again",
            "share the load with my brother",
            "see my own friends again",
            "be family again and not a nurse",
            "take a short holiday",
        ),
        strengths=("I found a day centre nearby", "I let a friend take over once"),
        advice=("ask for respite care", "talk to your brother", "see a social worker"),
    ),
    Topic(
        name="screens",
        subjects=("the games", "my screen time"),
        situations=(
            "I play online until sunrise",
            "I check my phone hundreds of times a day",
            "I bet on games and lost my savings",
            "I failed two exams because of gaming",
            "I scroll through dinner with my family",
            "I spend my rent on apps",
        ),
        barriers=(
            "all my friends are in the game",
            "it is the only place where I am good",
            "my hand picks it up by itself",
            "I always hope to win it back",
            "real life seems so grey beside it",
            "I need the phone for work",
        ),
        goals=(
            "pass my exams this term",
            "pay back what I owe",
            "read a book to the end",
            "be present with my kids",
            "go to bed before midnight",
            "get my old hobbies back",
        ),
        strengths=("I deleted one app on Sunday", "I left my phone at home for a walk"),
        advice=("set a time limit", "delete the app", "keep the phone out of the bedroom"),
    ),
)
