CORPUS = []


def facts():
    from tests.pql.cases import facts

    return facts("A")
